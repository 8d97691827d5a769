// A searchable list of classes to choose from; null stands for all of them.

import { element, write } from "./dom.js";

export class ClassPicker {
  constructor(title, onchange) {
    this._names = [];
    this._chosen = null;
    this._onchange = onchange;
    this._now = element("span", { className: "value" });
    this._list = element("ul", { className: "classes" });
    this._search = element("input", { type: "search", placeholder: "Search", oninput: () => this._filter() });
    this._search.setAttribute("aria-label", "Search classes");
    const button = (text, chosen) =>
      element("button", { type: "button", onclick: () => this._choose(chosen) }, text);
    this.node = element(
      "details",
      { className: "picker" },
      element("summary", {}, element("span", {}, title), this._now),
      element("div", { className: "row" }, this._search, button("All", null), button("None", [])),
      this._list,
    );
  }

  set(names, chosen) {
    if (names.length !== this._names.length || names.some((name, i) => name !== this._names[i])) {
      this._names = [...names];
      this._list.replaceChildren(...this._names.map((name) => this._item(name)));
      this._filter();
    }
    this._chosen = chosen === null ? null : new Set(chosen);
    this._show();
  }

  _item(name) {
    const box = element("input", { type: "checkbox", value: name, onchange: () => this._toggle(name, box.checked) });
    return element("li", {}, element("label", {}, box, element("span", {}, name)));
  }

  _toggle(name, on) {
    const chosen = new Set(this._chosen ?? this._names);
    if (on) chosen.add(name);
    else chosen.delete(name);
    this._choose(chosen.size === this._names.length ? null : this._names.filter((n) => chosen.has(n)));
  }

  _choose(chosen) {
    this._chosen = chosen === null ? null : new Set(chosen);
    this._show();
    this._onchange(chosen);
  }

  _show() {
    for (const box of this._list.querySelectorAll("input")) box.checked = this._chosen === null || this._chosen.has(box.value);
    const count = this._names.length;
    const few = this._chosen && this._chosen.size && this._chosen.size <= 2 ? [...this._chosen].join(", ") : null;
    write(this._now, this._chosen === null ? `all ${count}` : few ?? `${this._chosen.size || "none"} of ${count}`);
  }

  _filter() {
    const wanted = this._search.value.trim().toLowerCase();
    for (const item of this._list.children) item.hidden = !item.textContent.toLowerCase().includes(wanted);
  }
}
