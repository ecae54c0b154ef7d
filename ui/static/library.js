// Another page of the library's list begins at its first paper.
document.addEventListener("click", (event) => {
  const pressed = event.target.closest?.(".pc-lib-pager [data-act]:not([aria-disabled])");
  if (pressed) document.getElementById("pc-lib-papers")?.scrollIntoView();
});
