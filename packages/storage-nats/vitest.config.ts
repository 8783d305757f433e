import { mergeConfig } from 'vitest/config'
import { packageTests } from '../../vitest.package.ts'

// Started here and not by a test file: a file of which no test runs would never end its server.
export default mergeConfig(packageTests('storage-nats'), { test: { globalSetup: './test/nats-setup.ts' } })
