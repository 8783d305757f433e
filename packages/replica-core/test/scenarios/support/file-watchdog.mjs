// Loaded before a program (--import): writes a line for each descriptor of the database or its -shm file
// that is closed while this process holds locks on that file, and for each way of opening them by fs.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const database = process.env.WATCHED_DATABASE
const report = process.env.WATCHDOG_REPORT
const watched = new Set([database, `${database}-shm`])
const originals = { ...fs }
const open = new Map()

function say(line) {
  originals.appendFileSync(report, `${line}\n`)
}

/** Locks of this process on the file behind a descriptor, as the kernel lists them. */
function locksOn(fd) {
  const { ino } = originals.fstatSync(fd)
  return originals
    .readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => Number(fields[4]) === process.pid && fields[5]?.endsWith(`:${ino}`)).length
}

fs.openSync = (path, ...rest) => {
  const fd = originals.openSync(path, ...rest)
  if (watched.has(String(path))) {
    open.set(fd, String(path))
    say(`open ${String(path) === database ? 'db' : 'shm'}`)
  }
  return fd
}
fs.closeSync = (fd) => {
  const path = open.get(fd)
  if (path !== undefined) {
    open.delete(fd)
    say(`close ${path === database ? 'db' : 'shm'} locks=${locksOn(fd)}`)
  }
  return originals.closeSync(fd)
}
const ways = [
  'open',
  'readFile',
  'readFileSync',
  'copyFile',
  'copyFileSync',
  'createReadStream',
  'createWriteStream',
  'writeFileSync',
]
for (const name of ways) {
  fs[name] = (path, ...rest) => {
    if (watched.has(String(path))) say(`violation ${name} ${path}`)
    return originals[name](path, ...rest)
  }
}
for (const name of ['open', 'readFile', 'copyFile']) {
  const original = fs.promises[name]
  fs.promises[name] = (path, ...rest) => {
    if (watched.has(String(path))) say(`violation promises.${name} ${path}`)
    return original(path, ...rest)
  }
}
syncBuiltinESMExports()
