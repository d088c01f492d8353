"use strict";
(() => {
  const specs = JSON.parse(document.getElementById("charts").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 520px)");

  // `@name` in a specification is a color of the page, so that one specification serves light and dark.
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const painted = (value) => {
    if (value === "@series") return [1, 2, 3, 4, 5, 6].map((n) => color("series-" + n));
    if (value === "@columns") return narrow.matches ? 1 : 0;
    if (typeof value === "string") return value.startsWith("@") ? color(value.slice(1)) : value;
    if (Array.isArray(value)) return value.map(painted);
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, painted(part)]));
    return value;
  };

  const config = () => {
    const font = getComputedStyle(document.body).fontFamily;
    const ink = color("ink"), quiet = color("quiet"), rule = color("rule");
    return {
      background: "transparent", font, view: { stroke: null },
      axis: {
        labelColor: quiet, titleColor: quiet, titleFontWeight: 400, gridColor: rule, domainColor: color("edge"),
        tickColor: color("edge"), labelFontSize: 12, titleFontSize: 12,
      },
      axisY: { labelLimit: narrow.matches ? 96 : 170, domain: false, ticks: false, labelPadding: 6 },
      legend: { labelColor: ink, labelFontSize: 12, symbolSize: 110, columns: narrow.matches ? 2 : 0, columnPadding: 14 },
      text: { color: ink, fontSize: 12 },
    };
  };

  const chosen = {};
  const draw = async () => {
    for (const [place, spec] of Object.entries(specs)) {
      const element = document.getElementById(place);
      const options = {
        actions: false, renderer: "svg", config: config(), tooltip: { theme: dark.matches ? "dark" : "light" },
      };
      const { view } = await vegaEmbed(element, painted(spec), options);
      if ((spec.params || []).some((param) => param.name === "chosen")) {
        if (chosen[place]) await view.signal("chosen", chosen[place]).runAsync();
        view.addSignalListener("chosen", (_, value) => { chosen[place] = value; });
      }
    }
    document.documentElement.dataset.drawn = "yes";
  };

  let drawing = draw();
  const again = () => { drawing = drawing.then(draw); };
  dark.addEventListener("change", again);
  narrow.addEventListener("change", again);
})();
