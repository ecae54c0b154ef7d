// A thumb tells the program which answer it stands under.
element.addEventListener("click", (event) => {
  const thumb = event.target.closest("button.pc-thumb");
  if (!thumb) return;
  trigger("select", { turn: Number(thumb.closest(".pc-turn").dataset.turn), verdict: thumb.dataset.verdict });
});
