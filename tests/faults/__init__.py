"""What the tests of faults share: processes to kill, disks to fill, spoilt files, and a record of what was tried."""
