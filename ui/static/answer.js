// Answers and their evidence: a glance at a chip, the way to its source, the column that follows, and copying.
(() => {
  const LINGER_MS = 150; // for the pointer's way from a chip to its popover
  const SETTLE_MS = 120; // a pointer that only passes over a sentence moves nothing
  const COPIED_MS = 2000;
  const touch = matchMedia("(hover: none)");
  const behavior = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");
  const on = (type, handler) => document.addEventListener(type, handler, true);
  const at = (event, selector) => (event.target instanceof Element ? event.target.closest(selector) : null);
  const cardOf = (chip) => document.getElementById(chip.getAttribute("href").slice(1));
  const column = () => document.getElementById("pc-evidence");

  // --- a glance: title, date and quote of the chip's source, or why a sentence is marked ---------------
  const popover = document.createElement("div");
  popover.id = "pc-popover";
  popover.setAttribute("role", "tooltip");
  popover.hidden = true;
  let anchor = null;
  let leaving = 0;

  const block = (className, ...nodes) => {
    const made = document.createElement("div");
    made.className = className;
    made.append(...nodes);
    return made;
  };
  // The marks of a card that a sentence stands on: those that it quotes, else all.
  const marksOf = (card, sentence) => {
    const marks = [...card.querySelectorAll("mark")];
    const quoted = marks.filter((mark) => sentence?.textContent.includes(mark.textContent.trim()));
    return quoted.length ? quoted : marks;
  };
  const ofFlag = (flag) => [block("pc-said", flag.textContent)];
  const ofChip = (chip) => {
    const card = cardOf(chip);
    if (!card) return [block("pc-paper", chip.getAttribute("aria-label"))];
    const parts = [...card.querySelectorAll(":scope > summary :is(.pc-paper, .pc-meta)")].map((part) => part.cloneNode(true));
    const marks = marksOf(card, chip.closest(".pc-sentence"));
    let told = null; // the place in the full text, once for all quotes of a passage
    const quotes = marks.flatMap((mark) => {
      const before = mark.closest(".pc-abstract")?.previousElementSibling;
      const where = before?.matches(".pc-where") ? before : null;
      const said = block("pc-said", ...mark.cloneNode(true).childNodes);
      const quoted = where && where !== told ? [block("pc-meta", where.textContent), said] : [said];
      told = where;
      return quoted;
    });
    if (quotes.length) parts.push(block("pc-quotes", ...quotes));
    if (touch.matches) parts.push(block("pc-meta", "Tap again to open the source."));
    return parts;
  };
  const place = () => {
    const [by, own, gap] = [anchor.getClientRects()[0] ?? anchor.getBoundingClientRect(), popover.getBoundingClientRect(), 8];
    const above = by.bottom + gap + own.height > innerHeight && by.top - gap - own.height > 0;
    popover.style.top = `${above ? by.top - gap - own.height : by.bottom + gap}px`;
    popover.style.left = `${Math.max(12, Math.min(by.left - 16, document.documentElement.clientWidth - own.width - 12))}px`;
  };
  const hide = () => {
    clearTimeout(leaving);
    anchor?.removeAttribute("aria-describedby");
    anchor = null;
    popover.hidden = true;
  };
  const show = (element) => {
    clearTimeout(leaving);
    if (anchor === element) return;
    hide();
    anchor = element;
    popover.replaceChildren(...(element.matches(".pc-flag") ? ofFlag(element) : ofChip(element)));
    (element.closest("main, #pc-shell") ?? document.body).append(popover); // within a landmark
    popover.hidden = false;
    element.setAttribute("aria-describedby", popover.id);
    place();
  };
  const SHOWN = "a.pc-chip, .pc-flag";
  on("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const element = at(event, SHOWN) ?? at(event, ".pc-unsupported")?.querySelector(".pc-flag");
    if (element) show(element);
    else if (popover.contains(event.target)) clearTimeout(leaving);
    else if (anchor && !anchor.matches(":focus-visible")) {
      clearTimeout(leaving);
      leaving = setTimeout(hide, LINGER_MS);
    }
  });
  on("focusin", (event) => {
    const element = at(event, SHOWN);
    if (element?.matches(":focus-visible")) show(element);
    else if (!popover.contains(event.target)) hide();
  });
  on("scroll", (event) => {
    if (anchor && event.target.contains(anchor)) hide(); // not when the evidence beside it comes to the sentence
  });
  on("keydown", (event) => {
    if (event.key !== "Escape" || popover.hidden) return;
    event.stopPropagation(); // closes this, and does not stop the answer
    hide();
  });

  // --- the evidence column: lights what a sentence rests on, and comes to it only where it is out of view ----
  let followed = null;
  let settling = 0;
  let unfolded = null; // an earlier turn's evidence that was opened to follow, and is closed again after

  // Into view, with the sentence it is opened for; what is in view already stays where it is.
  const bring = (card, sentence) => {
    let scroller = card.parentElement;
    while (scroller && !(/auto|scroll/.test(getComputedStyle(scroller).overflowY) && scroller.scrollHeight > scroller.clientHeight))
      scroller = scroller.parentElement;
    if (!scroller || !column().contains(card) || scroller.querySelector("#pc-chat")) return;
    const quote = marksOf(card, sentence)[0] ?? card.querySelector("summary");
    const [said, own, view] = [quote, card, scroller].map((element) => element.getBoundingClientRect());
    if (said.top >= view.top && Math.min(said.bottom, said.top + 160) <= view.bottom) return;
    const fits = said.bottom - own.top <= view.height - 80;
    const top = fits ? own.top - 16 : said.top - Math.max(16, (view.height - said.height) / 3);
    scroller.scrollTo({ top: scroller.scrollTop + top - view.top, behavior: behavior() });
  };
  const light = (cards) => {
    for (const card of document.querySelectorAll(".pc-lit")) if (!cards.includes(card)) card.classList.remove("pc-lit");
    for (const card of cards) card.classList.add("pc-lit");
  };
  const leave = () => {
    clearTimeout(settling);
    followed?.classList.remove("pc-followed");
    followed = null;
  };
  const follow = (sentence) => {
    if (sentence === followed) return;
    leave();
    followed = sentence;
    sentence.classList.add("pc-followed");
    settling = setTimeout(() => {
      const ids = sentence.dataset.cites.split(" ").map((n) => `evidence-${sentence.dataset.turn}-${n}`);
      const cards = ids.map((id) => document.getElementById(id)).filter(Boolean);
      light(cards);
      if (!cards.length || !column().checkVisibility({ visibilityProperty: true })) return;
      const fold = cards[0].closest(".pc-earlier");
      if (unfolded && unfolded !== fold) unfolded.open = false;
      unfolded = fold && !fold.open ? fold : unfolded === fold ? fold : null;
      if (fold) fold.open = true;
      bring(cards[0], sentence);
    }, SETTLE_MS);
  };
  on("pointerover", (event) => {
    const sentence = event.pointerType === "touch" ? null : at(event, ".pc-sentence[data-cites]");
    if (sentence) follow(sentence);
    else if (!popover.contains(event.target)) leave();
  });
  on("focusin", (event) => {
    const sentence = at(event, ".pc-sentence[data-cites]");
    if (sentence) follow(sentence);
  });

  // --- a click on a chip: its source, unfolded, at the sentence ------------------------------------------
  const open = (chip) => {
    const card = cardOf(chip);
    hide();
    if (!card) return;
    leave();
    if (!column().checkVisibility({ visibilityProperty: true })) document.body.dataset.drawer = "evidence";
    for (let fold = card; fold; fold = fold.parentElement) if (fold.tagName === "DETAILS") fold.open = true;
    unfolded = null;
    light([card]);
    card.querySelector("summary").focus({ preventScroll: true });
    bring(card, chip.closest(".pc-sentence"));
  };
  on("click", (event) => {
    const chip = at(event, "a.pc-chip");
    const flag = at(event, ".pc-flag");
    if (chip && (event.ctrlKey || event.metaKey || event.shiftKey)) return;
    if (chip || flag || popover.contains(event.target)) {
      event.preventDefault();
      event.stopPropagation(); // the page closes drawers at a click beside them
    }
    const from = chip ?? (popover.contains(event.target) && anchor?.matches("a") ? anchor : null);
    if (flag) show(flag);
    else if (from && event.pointerType === "touch" && from !== anchor) show(from);
    else if (from) open(from);
    else if (!popover.contains(event.target)) hide();
  });

  // --- copying: the answer's text with its markers, and the sources they stand for ------------------------
  const textOf = (answer) => {
    const copy = answer.cloneNode(true);
    for (const chip of copy.querySelectorAll(".pc-chip")) chip.replaceWith(` [${chip.textContent}]`);
    for (const flag of copy.querySelectorAll(".pc-flag")) flag.replaceWith(" [unsupported]");
    for (const formula of copy.querySelectorAll("math")) formula.replaceWith(formula.dataset.source);
    for (const line of copy.querySelectorAll("br")) line.replaceWith("\n");
    const blocks = [...copy.querySelectorAll("p, li")].map((part) => (part.tagName === "LI" ? "- " : "") + part.textContent);
    const labels = [...answer.querySelectorAll("a.pc-chip")].map((chip) => [Number(chip.textContent), chip.getAttribute("aria-label")]);
    const sources = [...new Map(labels)].sort(([one], [other]) => one - other);
    const listed = sources.map(([n, label]) => `[${n}] ${label.replace(/^Source \d+: /, "")}`);
    return [...blocks, listed.join("\n")].filter(Boolean).join("\n\n").replaceAll("\n\n- ", "\n- ");
  };
  on("click", async (event) => {
    const button = at(event, "[data-act=copy]");
    const answer = button?.closest(".pc-turn")?.querySelector(".pc-answer");
    if (!answer) return;
    event.stopPropagation(); // nothing that the program needs to know
    try {
      await paperchat.copy(textOf(answer));
      button.textContent = "Copied";
    } catch {
      button.textContent = "The browser did not allow it: select the text and copy it.";
    }
    // A redraw may have made another button of it meanwhile.
    setTimeout(() => button.dataset.act === "copy" && (button.textContent = "Copy"), COPIED_MS);
  });
})();
