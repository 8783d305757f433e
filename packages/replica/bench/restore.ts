// Restore from a folder against cp: node --conditions=@sqlstream/source bench/restore.ts [MiB] [folder]
// Half of each page is text-like, half is noise, so that it compresses to about 60 %.
import { execFileSync } from 'node:child_process'
import { closeSync, fsyncSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHeader, Encoder, lockPgno, toTXID } from '@sqlstream/ltx'
import { FileStore } from '@sqlstream/storage-file'
import { assumeSoleWriter, planRestore, Replica, restore } from '../src/index.ts'
import { fileSink } from '../src/node/index.ts'

const PAGE_SIZE = 4096
const mebibytes = Number(process.argv[2] ?? 512)
const folder = mkdtempSync(join(process.argv[3] ?? tmpdir(), 'sqlstream-bench-'))
const commit = (mebibytes * 2 ** 20) / PAGE_SIZE
const range = { minTXID: toTXID(1), maxTXID: toTXID(1) }

/** A snapshot of a made-up database, page by page. */
async function* snapshot(): AsyncGenerator<Uint8Array> {
  const encoder = new Encoder(createHeader({ ...range, pageSize: PAGE_SIZE, commit, timestamp: 0 }))
  yield encoder.start().slice()
  const { kernel } = encoder
  const noise = crypto.getRandomValues(new Uint8Array(65536))
  for (let pgno = 1; pgno <= commit; ) {
    let count = 0
    for (; count < kernel.capacity && pgno <= commit; pgno++) {
      if (pgno === lockPgno(PAGE_SIZE)) continue
      const page = kernel.pages.subarray(count * PAGE_SIZE, (count + 1) * PAGE_SIZE)
      page.fill(0x20 + (pgno % 90))
      page.set(noise.subarray((pgno * 61) % 63488, ((pgno * 61) % 63488) + 2048), 1024)
      kernel.pgnos[count++] = pgno
    }
    yield encoder.encode(count).slice()
  }
  yield encoder.finish()
}

/** Drops the page cache's say in the matter as far as one process can: everything ends with fsync. */
function copy(from: string, to: string): void {
  execFileSync('cp', ['--sparse=never', '--reflink=never', from, to])
  const fd = openSync(to, 'r+')
  fsyncSync(fd)
  closeSync(fd)
}

function report(name: string, bytes: number, milliseconds: number): void {
  const rate = bytes / 2 ** 20 / (milliseconds / 1000)
  console.log(
    `${name.padEnd(28)} ${(milliseconds / 1000).toFixed(2).padStart(7)} s ${rate.toFixed(0).padStart(6)} MiB/s`,
  )
}

try {
  const replica = new Replica(new FileStore(join(folder, 'replica')))
  await replica.writer(assumeSoleWriter('bench')).put(9, range, { open: snapshot })
  const plan = planRestore(await replica.catalog(), { kind: 'latest' })
  const database = join(folder, 'restored.db')
  console.log(
    `${cpus()[0]?.model}, ${availableParallelism()} cores, Node ${process.version}, ${mebibytes} MiB database`,
  )
  console.log(`LTX file: ${((plan.files[0]?.size ?? 0) / 2 ** 20).toFixed(0)} MiB`)
  for (let round = 0; round < 3; round++) {
    rmSync(database, { force: true })
    const started = performance.now()
    await restore(replica, plan, fileSink(database))
    report('restore', statSync(database).size, performance.now() - started)
    const copied = join(folder, 'copied.db')
    rmSync(copied, { force: true })
    const began = performance.now()
    copy(database, copied)
    report('cp + fsync', statSync(copied).size, performance.now() - began)
  }
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  console.log(`peak resident memory: ${(Number(peak) / 1024).toFixed(0)} MiB`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
