() => {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const behavior = calm ? "auto" : "smooth";

  // A chip leads to its source: unfold what hides it, bring it into view, and mark it.
  document.addEventListener("click", (event) => {
    const chip = event.target.closest("a.pc-chip");
    if (!chip) return;
    event.preventDefault();
    const source = document.getElementById(chip.getAttribute("href").slice(1));
    if (!source) return;
    document.querySelectorAll(".pc-lit").forEach((element) => element.classList.remove("pc-lit"));
    for (let at = source; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    source.classList.add("pc-lit");
    const quote = source.querySelector("mark");
    const below = quote && quote.getBoundingClientRect().bottom - source.getBoundingClientRect().top > innerHeight - 200;
    if (below) quote.scrollIntoView({ behavior, block: "center" });
    else source.scrollIntoView({ behavior, block: "start" });
    source.querySelector("summary").focus({ preventScroll: true });
  });

  // A new question goes to the top of the view; nothing else moves the page.
  let last = null;
  new MutationObserver(() => {
    const turns = document.querySelectorAll(".pc-turn");
    const turn = turns[turns.length - 1];
    const number = turn ? turn.dataset.turn : null;
    if (turn && number !== last) turn.scrollIntoView({ behavior, block: "start" });
    last = number;
  }).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-turn"] });
}
