import { MemoryStore, withConcurrency, withFaults, withObserver, withPrefix } from '@sqlstream/storage'
import { describe, it } from 'vitest'
import { describeConformance } from '../src/index.ts'
import { memoryHarness, newHandle } from './memory-harness.ts'

describeConformance({ describe, it }, 'MemoryStore', memoryHarness())
describeConformance(
  { describe, it },
  'MemoryStore below a prefix',
  memoryHarness((store) => withPrefix(store, 'deep/er/')),
)
describeConformance(
  { describe, it },
  'MemoryStore in every wrapper',
  memoryHarness((store) => withObserver(withFaults(withConcurrency(store, 3), []), () => {})),
)

const oddChunks = new MemoryStore({ chunkSize: 4099 })
describeConformance({ describe, it }, 'MemoryStore with odd chunks', {
  open: async () => newHandle(oddChunks),
  largeBytes: 2_000_003,
})
