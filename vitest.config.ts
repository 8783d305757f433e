import { defineConfig } from 'vitest/config'

/** Tests of the repository itself: layers, documents, clauses, packed files. They need a build. */
export default defineConfig({
  test: {
    name: 'repo',
    include: ['test/**/*.test.ts'],
    passWithNoTests: false,
    testTimeout: 180_000,
    hookTimeout: 300_000,
    fileParallelism: false,
    pool: 'forks',
  },
})
