/** An element from text, or from elements that are already markup. */
export function element(name: string, content: string | number | boolean | readonly string[]): string {
  const inner = typeof content === 'object' ? content.join('') : escapeXml(String(content))
  return `<${name}>${inner}</${name}>`
}

/** A whole document with S3's namespace. */
export function document(name: string, content: readonly string[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content.join('')}</${name}>`
}

/** The inner markup of every element of this name, which must not nest in itself. */
export function elementsOf(markup: string, name: string): string[] {
  return [...markup.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'gs'))].map((match) => match[1]!)
}

/** The text of the first element of this name. */
export function textOf(markup: string, name: string): string | undefined {
  const [inner] = elementsOf(markup, name)
  return inner?.replaceAll(/&(amp|lt|gt|quot|apos|#x?[0-9a-fA-F]+);/g, (whole, name: string) => {
    if (!name.startsWith('#')) return { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }[name] ?? whole
    return String.fromCodePoint(name[1] === 'x' ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1)))
  })
}

function escapeXml(text: string): string {
  return text.replaceAll(
    /[&<>"\r]/g,
    (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[char] ?? '&#xD;',
  )
}
