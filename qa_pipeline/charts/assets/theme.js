// Sets the theme before the first paint: the reader's choice if there is one, else the system's (see style.css).
(function () {
  "use strict";
  try {
    var chosen = window.localStorage.getItem("qa-theme");
    if (chosen === "light" || chosen === "dark") {
      document.documentElement.dataset.theme = chosen;
    }
  } catch (error) {
    // Storage may be forbidden for files; then the system's theme holds.
  }
})();
