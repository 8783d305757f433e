import { mergeConfig } from 'vitest/config'
import { packageTests } from '../../vitest.package.ts'

// One Azurite for all tests: each takes seconds to start and hundreds of megabytes.
export default mergeConfig(packageTests('storage-azure'), {
  test: { globalSetup: './test/azurite-setup.ts' },
})
