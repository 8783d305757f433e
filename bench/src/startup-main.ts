// Makes the first kernel of a process, which has to unpack, compile and instantiate it. Argument: 'page' or 'WAL'.
import { createKernel } from '@sqlstream/ltx'
import { createWALKernel } from '@sqlstream/wal'

const options = { pageSize: 4096, backend: 'wasm' } as const
const make = JSON.parse(process.argv[2] ?? '') === 'page' ? createKernel : createWALKernel
const started = performance.now()
make(options)
const milliseconds = performance.now() - started
process.send?.({ milliseconds }, () => process.disconnect())
