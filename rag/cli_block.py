"""`paperchat library block`: papers that must not come into the library."""

from __future__ import annotations

from typing import Annotated

import typer

from rag.cli_common import Json, failures, opened_library, status

app = typer.Typer(help="The block list: papers that are refused by ingestion.", no_args_is_help=True)

Names = Annotated[
    list[str], typer.Argument(help="arXiv ids, DOIs, titles, or ids of papers in the library.", metavar="NAME...")
]


@app.command(name="list")
def list_(json_output: Json = False) -> None:
    """Show every name under which papers are refused."""
    from rag.batch import print_json
    from rag.show_library import show_blocks

    with failures(json_output), opened_library() as library:
        if json_output:
            for block in library.blocks:
                print_json(block.as_dict())
        else:
            show_blocks(library.blocks)


@app.command()
def add(
    names: Names,
    reason: Annotated[str, typer.Option(help="Why, for whoever wonders later.")] = "",
    json_output: Json = False,
) -> None:
    """Refuse papers from now on. Those that the library has stay in it until they are deleted."""
    from rag.batch import print_json
    from rag.show_library import show_blocks, show_still_there

    with failures(json_output), opened_library() as library:
        for name in names:
            blocks, there = library.block(name, reason), library.named(name)
            if json_output:
                for block in blocks:
                    print_json(block.as_dict())
            else:
                show_blocks(blocks)
                show_still_there(there)


@app.command()
def remove(names: Names, json_output: Json = False) -> None:
    """Let papers in again, under all the names that were blocked with the given one."""
    from rag.batch import print_json
    from rag.show_library import show_unblocked

    with failures(json_output), opened_library() as library:
        found = {name: library.unblock(name) for name in names}
        if json_output:
            print_json({name: [block.as_dict() for block in blocks] for name, blocks in found.items()})
        else:
            show_unblocked(found)
    missed = sum(not blocks for blocks in found.values())
    raise typer.Exit(status(len(found) - missed, missed))
