type Child = Node | string | undefined | false

/** Attributes and listeners of an element: `on…` are listeners, `true` is an attribute without a value. */
type Attributes = Readonly<Record<string, string | number | boolean | undefined | ((event: never) => void)>>

/** An element of HTML. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag)
  fill(element, attributes, children)
  return element
}

/** An element of SVG. */
export function s<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[Tag] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag)
  fill(element, attributes, children)
  return element
}

function fill(element: Element, attributes: Attributes, children: readonly Child[]): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value as (event: Event) => void)
    else if (value === true) element.setAttribute(name, '')
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value))
  }
  element.append(
    ...children.filter((child): child is Node | string => child !== undefined && child !== false),
  )
}

/** A term and what it is, for a list of facts. */
export function fact(term: string, value: Child, note?: string): HTMLElement {
  return h(
    'div',
    { class: 'fact' },
    h('dt', {}, term),
    h('dd', {}, value, note !== undefined && h('small', {}, note)),
  )
}
