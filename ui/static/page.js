// The page's own behaviour: views, drawers, keys, the address, and finding the server again.
(() => {
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const behavior = () => (calm.matches ? "auto" : "smooth");
  const box = () => document.querySelector("#pc-question textarea");
  const body = document.body;
  body.dataset.view = "chat";

  const mark = () => {
    for (const button of document.querySelectorAll("[id^=pc-go-]"))
      button.setAttribute("aria-current", button.id === `pc-go-${body.dataset.view}` ? "page" : "false");
  };
  const show = (view) => {
    body.dataset.view = view;
    delete body.dataset.drawer;
    mark();
    if (view === "chat" && matchMedia("(min-width: 901px)").matches) box()?.focus();
  };

  document.addEventListener("click", async (event) => {
    const at = (selector) => event.target.closest?.(selector);
    const go = at("[data-go]")?.dataset.go ?? at("[id^=pc-go-]")?.id.slice("pc-go-".length);
    if (go) return show(go);
    const opened = at("#pc-chats [data-act=open]");
    if (opened && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      return show("chat");
    }
    if (at("#pc-clear, [data-act=edit], [data-act=about]")) {
      show("chat");
      return setTimeout(() => box()?.focus(), 150);
    }
    const drawer = at("[data-drawer]:not(body)");
    if (drawer) {
      body.dataset.drawer = body.dataset.drawer === drawer.dataset.drawer ? "" : drawer.dataset.drawer;
      return;
    }
    if (body.dataset.drawer && !at("#pc-side, #pc-evidence")) delete body.dataset.drawer;
    const copied = at("[data-copy-link]");
    if (copied) {
      const link = new URL(`?chat=${copied.dataset.copyLink}`, document.baseURI).href;
      copied.textContent = await paperchat.copy(link).then(() => "Copied", () => link);
    }
    for (const menu of document.querySelectorAll(".pc-more[open]")) if (!menu.contains(event.target)) menu.open = false;
  });

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      show("chat");
      box()?.focus();
    } else if (event.key === "Escape") {
      const menu = document.querySelector(".pc-more[open]");
      if (menu) menu.open = false;
      else if (body.dataset.drawer) delete body.dataset.drawer;
      else (document.querySelector("#pc-question .stop-button") ?? document.querySelector("[data-act=unedit]"))?.click();
    }
  });

  // A new question goes to the top of the view; nothing else moves the page. The address names the conversation.
  let last = null;
  let waiting = false;
  const look = () => {
    waiting = false;
    mark();
    const turns = document.querySelectorAll("#pc-now .pc-turn");
    const turn = turns[turns.length - 1];
    const chat = document.querySelector("[data-chat]")?.dataset.chat ?? "";
    const key = turn ? `${chat} ${turn.dataset.turn}` : null;
    if (turn && key !== last && (turn.getAttribute("aria-busy") === "true" || last?.split(" ")[0] !== chat))
      turn.scrollIntoView({ behavior: last === null ? "auto" : behavior(), block: "start" });
    last = key;
    const wanted = chat ? `?chat=${chat}` : location.pathname;
    if (document.querySelector("[data-chat]") && (chat || !turn) && location.search !== (chat ? wanted : ""))
      history.replaceState(null, "", wanted);
  };
  new MutationObserver(() => {
    if (!waiting) requestAnimationFrame(look);
    waiting = true;
  }).observe(body, { childList: true, subtree: true });

  // The server may end and start again: say so, and come back by itself with what was being typed.
  const DRAFT = "paperchat-draft";
  let instance = null;
  const say = (text) => {
    let line = document.getElementById("pc-away");
    if (text && !line) {
      line = Object.assign(document.createElement("div"), { id: "pc-away" });
      line.setAttribute("role", "alert");
      body.append(line);
    }
    if (line) line.textContent = text;
    if (line) line.hidden = !text;
  };
  const greet = async () => {
    let health;
    try {
      health = await (await fetch("healthz", { cache: "no-store" })).json();
    } catch {
      say("paperchat does not answer. If it was ended, start it again with “make chat” or “paperchat serve”; this page comes back by itself.");
      return setTimeout(greet, 1000);
    }
    if (instance !== null && health.instance !== instance) {
      sessionStorage.setItem(DRAFT, box()?.value ?? "");
      return location.reload();
    }
    instance = health.instance;
    say("");
    setTimeout(greet, document.hidden ? 20000 : 4000);
  };
  greet();
  const draft = sessionStorage.getItem(DRAFT);
  if (draft) {
    const fill = setInterval(() => {
      const field = box();
      if (!field) return;
      clearInterval(fill);
      sessionStorage.removeItem(DRAFT);
      field.value = draft;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }, 200);
  }
})();
