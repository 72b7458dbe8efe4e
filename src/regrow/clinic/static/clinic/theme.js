// Light or dark on this device: as the system says, or as someone chose here (a dim room in a bright clinic).
// Not deferred, so that a dark page never flashes white.
"use strict";
(() => {
  const root = document.documentElement, NEXT = { "": "dark", dark: "light", light: "" };
  const WORDS = { "": "Screen: auto", dark: "Screen: dark", light: "Screen: bright" };
  const read = () => { try { return localStorage.getItem("theme") || ""; } catch { return ""; } };
  function put(theme) {
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
    const button = document.getElementById("theme");
    if (button) button.textContent = WORDS[theme];
  }
  put(read());
  document.addEventListener("DOMContentLoaded", () => {
    put(read());
    document.getElementById("theme")?.addEventListener("click", () => {
      const theme = NEXT[read()];
      try { localStorage.setItem("theme", theme); } catch { /* private browsing: for this page only */ }
      put(theme);
    });
  });
})();
