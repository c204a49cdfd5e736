// Draws the figures from the JSON in the page: each when it is scrolled near, all before printing, again when the
// theme changes. No data is ever executed or put into Plotly's configuration.
(function () {
  "use strict";

  var root = document.documentElement;
  var plots = Array.prototype.slice.call(document.querySelectorAll(".plot"));
  var PAPER_WIDTH = 680;
  var isCoarse = window.matchMedia("(pointer: coarse)").matches;
  // The default configuration shows a button that uploads the chart: never here. No bar at all: it covers the data.
  var CONFIG = {
    displaylogo: false,
    showSendToCloud: false,
    plotlyServerURL: "",
    displayModeBar: false,
    responsive: false,
    doubleClick: "reset"
  };

  function colour(role, styles) {
    return styles.getPropertyValue("--" + role.slice(1)).trim() || "#888";
  }

  // Roles such as "@line" are replaced where a colour stands, and nowhere else: a label may begin with @ too.
  function painted(node, key, styles) {
    if (Array.isArray(node)) {
      return node.map(function (entry) { return painted(entry, key, styles); });
    }
    if (node && typeof node === "object") {
      var copy = {};
      Object.keys(node).forEach(function (name) { copy[name] = painted(node[name], name, styles); });
      return copy;
    }
    if (typeof node === "string" && node.charAt(0) === "@" && /color(scale)?$/.test(key)) {
      return colour(node, styles);
    }
    return node;
  }

  function figureOf(plot) {
    var spec = JSON.parse(document.getElementById(plot.dataset.spec).textContent);
    return painted(spec, "", getComputedStyle(root));
  }

  function draw(plot, width) {
    if (!window.Plotly) {
      plot.textContent = "The chart cannot be drawn because the file plotly.js is missing. Its numbers are below.";
      plot.classList.add("empty");
      return;
    }
    var figure = figureOf(plot);
    var box = width || plot.clientWidth;
    figure.layout.width = box;
    figure.layout.dragmode = isCoarse ? false : "zoom";
    // On a phone the labels left of the plot are cut, so that the plot keeps the larger part.
    if (figure.narrow && box < 480) {
      figure.layout.margin.l = figure.narrow.left;
      figure.layout.yaxis.ticktext = figure.narrow.ticktext;
    }
    if (box < 480 && figure.layout.xaxis.type === "date" && !plot.closest(".panel")) {
      figure.layout.xaxis.dtick *= 2;
    }
    Plotly.react(plot, figure.data, figure.layout, CONFIG);
    plot.dataset.width = String(box);
    plot.dataset.drawn = "yes";
  }

  function isDrawn(plot) {
    return plot.dataset.drawn === "yes";
  }

  function redraw() {
    plots.filter(isDrawn).forEach(function (plot) { draw(plot); });
  }

  // Plotly renders tags in texts.
  function escaped(text) {
    var holder = document.createElement("span");
    holder.textContent = text;
    return holder.innerHTML;
  }

  // A picture for a slide: the figure with its title on it, made here, sent nowhere.
  function addPictureButton(plot) {
    var tools = plot.parentNode.querySelector(".tools");
    if (!tools || !window.Plotly) {
      return;
    }
    var button = document.createElement("button");
    button.type = "button";
    button.className = "picture";
    button.textContent = "Save as picture";
    button.setAttribute("aria-label", "Save as picture: " + plot.getAttribute("aria-label"));
    button.addEventListener("click", function () {
      var figure = figureOf(plot);
      // A slide has no page around it: the picture says what it is of, and whether it is made up.
      figure.layout.title = {
        text: escaped(plot.getAttribute("aria-label")),
        subtitle: { text: escaped(plot.closest("[data-where]").dataset.where), font: { size: 12 } },
        x: 0, xref: "container", xanchor: "left", pad: { l: 12, t: 14 }, y: 1, yref: "container", yanchor: "top",
        font: { size: 15 }
      };
      figure.layout.margin.t += 58;
      figure.layout.height += 58;
      figure.layout.width = Math.max(plot.clientWidth, 640);
      figure.layout.paper_bgcolor = colour("@card", getComputedStyle(root));
      window.Plotly.downloadImage(figure, {
        format: "png", scale: 2, width: figure.layout.width, height: figure.layout.height, filename: plot.id
      });
    });
    tools.appendChild(button);
  }
  plots.forEach(addPictureButton);

  if ("IntersectionObserver" in window) {
    var watcher = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        if (entry.isIntersecting) {
          watcher.unobserve(entry.target);
          if (!isDrawn(entry.target)) {
            draw(entry.target);
          }
        }
      });
    }, { rootMargin: "400px 0px" });
    plots.forEach(function (plot) { watcher.observe(plot); });
  } else {
    plots.forEach(function (plot) { draw(plot); });
  }

  // A link to a rule opens the list that holds it.
  function reveal() {
    var target = window.location.hash && document.getElementById(decodeURIComponent(window.location.hash.slice(1)));
    var holder = target && target.closest("details");
    if (holder && !holder.open) {
      holder.open = true;
      target.scrollIntoView();
    }
  }
  window.addEventListener("hashchange", reveal);
  reveal();

  var pending = 0;
  window.addEventListener("resize", function () {
    window.clearTimeout(pending);
    pending = window.setTimeout(function () {
      plots.filter(isDrawn).forEach(function (plot) {
        if (plot.clientWidth && String(plot.clientWidth) !== plot.dataset.width) {
          draw(plot);
        }
      });
    }, 120);
  });

  // Paper is light and narrow; the screen comes back afterwards.
  var themeOnScreen;
  window.addEventListener("beforeprint", function () {
    themeOnScreen = root.dataset.theme;
    root.dataset.theme = "light";
    plots.forEach(function (plot) { draw(plot, plot.closest(".panel") ? PAPER_WIDTH / 3 - 12 : PAPER_WIDTH); });
  });
  window.addEventListener("afterprint", function () {
    if (themeOnScreen) {
      root.dataset.theme = themeOnScreen;
    } else {
      delete root.dataset.theme;
    }
    redraw();
  });

  var prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches;
  }

  var button = document.getElementById("theme");
  function nameButton() {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", isDark() ? "Switch to the light theme" : "Switch to the dark theme");
  }
  button.hidden = false;
  nameButton();
  button.addEventListener("click", function () {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      window.localStorage.setItem("qa-theme", root.dataset.theme);
    } catch (error) {
      // The choice then lasts for this page only.
    }
    nameButton();
    redraw();
  });
  prefersDark.addEventListener("change", function () {
    nameButton();
    redraw();
  });
})();
