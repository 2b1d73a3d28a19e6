// Keeps a page of `llemma view` as new as the run: asks the same server every two seconds, and renews the page without
// losing the reader's place. A report that was opened by double click has no such script.
"use strict";
(() => {
  const SECONDS = 2, KEY = "llemma " + location.pathname;
  let version = Number(new URL(document.currentScript.src).searchParams.get("v"));
  const sign = document.createElement("p");
  sign.className = "live";
  sign.setAttribute("role", "status");
  document.body.append(sign);
  const say = (text) => { if (sign.textContent !== text) sign.textContent = text; sign.hidden = !text; };

  function keep() {
    const open = [...document.querySelectorAll("details")].map((one) => one.open);
    sessionStorage.setItem(KEY, JSON.stringify({ top: scrollY, open }));
  }
  function restore() {
    const kept = JSON.parse(sessionStorage.getItem(KEY) || "null");
    sessionStorage.removeItem(KEY);
    if (!kept) return;
    document.querySelectorAll("details").forEach((one, i) => { if (i < kept.open.length) one.open = kept.open[i]; });
    scrollTo(0, kept.top);
  }
  const busy = () => !getSelection().isCollapsed; // never takes away what is being copied
  async function renew(to) {
    if (window.llemma?.refresh) await llemma.refresh(to);
    else { keep(); location.reload(); }
    version = to;
  }
  async function look() {
    try {
      const live = await (await fetch("live.json", { cache: "no-store" })).json();
      say(live.note || (live.running ? "following the run" : ""));
      if (live.version !== version && !busy()) await renew(live.version);
    } catch { say("llemma view has ended"); }
    setTimeout(look, SECONDS * 1000);
  }
  if (!window.llemma) restore();
  setTimeout(look, SECONDS * 1000);
})();
