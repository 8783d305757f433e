import { packageTests } from '../../vitest.package.ts'

const tests = packageTests('replica-core-soak')

/** Long runs, outside of `test`: see test/oracle.soak.test.ts for what can be set. */
export default {
  ...tests,
  test: {
    ...tests.test,
    include: ['test/**/*.soak.test.ts'],
    exclude: ['**/node_modules/**'],
  },
}
