import { h } from './element.ts'

/** An error for people: what, its code, and what can be done. */
export function explain(error: unknown): HTMLElement {
  const { message, code, hint } = error as { message?: string; code?: unknown; hint?: unknown }
  return h(
    'div',
    { class: 'failure', role: 'alert' },
    h('p', {}, h('strong', {}, message ?? String(error)), typeof code === 'string' && ` (${code})`),
    typeof hint === 'string' && h('p', {}, hint),
  )
}
