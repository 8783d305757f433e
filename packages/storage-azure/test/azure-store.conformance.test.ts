import { describeConformance } from '@sqlstream/storage-conformance'
import { beforeAll, describe, it } from 'vitest'
import { openAzureStore } from '../src/index.ts'
import { azuriteForTests } from './azurite.ts'

const { container, options } = azuriteForTests()
let name = ''
beforeAll(async () => {
  name = await container()
})

describeConformance({ describe, it }, 'AzureStore', {
  open: () => openAzureStore(options(name)),
  openMissing: () => openAzureStore(options('missing')),
  // Listings are proven across pages of every size, and deletes are single: 1,005 objects prove no more, and Azurite is slow.
  manyKeys: 300,
})
