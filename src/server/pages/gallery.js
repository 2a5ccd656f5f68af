// The pages work without this: it only saves a click on the filters, and turns pictures by arrow keys.
"use strict";
for (const form of document.querySelectorAll("form[data-auto]")) {
  form.classList.add("auto");
  form.addEventListener("change", () => {
    sessionStorage.setItem("focus", document.activeElement && document.activeElement.value || "");
    form.requestSubmit();
  });
  // Fields that say nothing stay out of the address.
  form.addEventListener("submit", () => {
    for (const list of form.querySelectorAll("select")) list.disabled = list.value === "";
  });
  const focus = sessionStorage.getItem("focus");
  sessionStorage.removeItem("focus");
  if (focus) for (const field of form.querySelectorAll("input")) if (field.value === focus) field.focus();
}
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select, textarea, [tabindex='0']")) return;
  const rel = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
  const link = rel && document.querySelector(`a[rel="${rel}"]`);
  if (link) link.click();
});
