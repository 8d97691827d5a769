// Makes elements. Text from outside only ever becomes text.

export const byId = (id) => document.getElementById(id);

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

// A count, as one number: the server gives a number for each class.
export function total(count) {
  return count !== null && typeof count === "object" ? Object.values(count).reduce((sum, n) => sum + n, 0) : count;
}
