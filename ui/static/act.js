// Buttons and fields inside drawn HTML tell the program what was done: data-act on a click, data-change on a new value.
const told = (event, name) => {
  const at = event.target.closest(`[data-${name}]`);
  if (!at || !element.contains(at)) return;
  if (at.tagName === "A" && (event.ctrlKey || event.metaKey || event.shiftKey)) return;
  if (at.tagName === "A") event.preventDefault();
  trigger("select", { ...at.dataset, ...(name === "change" ? { value: at.value } : {}) });
};
element.addEventListener("click", (event) => told(event, "act"));
element.addEventListener("change", (event) => told(event, "change"));
