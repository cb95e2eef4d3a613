// What Swagger UI lacks: the colours of the reader's system; labels on lists of examples; and paths that are plain text.
// The path of an operation is within the button that unfolds it, where a link cannot be reached by keyboard.
"use strict";

(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", follow);
  follow();

  const make = window.SwaggerUIBundle;
  const readable = {
    wrapComponents: {
      DeepLink: (_original, { React }) => ({ text }) => React.createElement("span", null, text),
      ExamplesSelect: (Original, { React }) => (props) =>
        React.createElement(
          "label",
          null,
          React.createElement("span", { className: "label-of-examples" }, "Example"),
          React.createElement(Original, props),
        ),
    },
  };
  window.SwaggerUIBundle = Object.assign(
    (options) => make({ ...options, plugins: [...options.plugins, readable] }),
    make,
  );
})();
