#!/usr/bin/env node
// Plain JavaScript without static imports: an older Node must get this sentence, not a crash of a native module.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 22 || major === 23 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `error: Node.js ${process.versions.node} is too old (node-version)\nhint: use Node.js 22.18 or later, or 24\n`,
  )
  process.exitCode = 1
} else {
  const { main } = await import('../dist/main.js')
  await main(process.argv.slice(2), import.meta.url)
}
