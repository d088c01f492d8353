// Keys of the desk. Everything here is an extra: without it each page works by links and forms.
(() => {
  if (document.documentElement.dataset.keys === "off") return;
  const rows = () => [...document.querySelectorAll("tr.row:not(.two)")];
  const typing = (at) => at.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
  const click = (what) => { const found = document.querySelector(what); found?.click(); return Boolean(found); };
  const withKey = (key) => [...document.querySelectorAll("main a, main button")].find((one) => [...one.querySelectorAll("kbd")].some((kbd) => kbd.textContent === key));
  const move = (by) => {
    const all = rows();
    const at = all.findIndex((row) => row.classList.contains("cur"));
    const to = all[Math.min(all.length - 1, Math.max(0, at + by))];
    all.forEach((row) => row.classList.remove("cur"));
    to.classList.add("cur");
    to.querySelector("a.id").focus();
    to.scrollIntoView({ block: "nearest" });
  };
  const pages = { m: "/work", h: "/held", f: "/figures", q: "/quarantine" };
  let first = "";
  document.addEventListener("keydown", (press) => {
    const { key, target } = press;
    if (press.ctrlKey && key === "Enter" && target.form) { press.preventDefault(); target.form.requestSubmit(); return; }
    if (key === "Escape" && typing(target)) { target.blur(); return; }
    if (press.ctrlKey || press.metaKey || press.altKey || typing(target)) return;
    let hit = true;
    if (first === "g" && pages[key]) location.href = pages[key];
    else if (key === "g") { first = "g"; setTimeout(() => { first = ""; }, 1200); return; }
    else if (key === "?") location.href = "/keys";
    else if (key === "/") document.querySelector("#q")?.focus();
    else if ((key === "j" || key === "k") && rows().length) move(key === "j" ? 1 : -1);
    else if (key === "x") hit = click("tr.cur input[type=checkbox]");
    else if (key === "y") navigator.clipboard?.writeText(document.querySelector("tr.cur a.id, #number")?.textContent ?? "");
    else if (/^[a-z]$/.test(key) && withKey(key)) withKey(key).click();
    else hit = false;
    first = "";
    if (hit) press.preventDefault();
  });
})();
