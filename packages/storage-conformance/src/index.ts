export { conformanceTests } from './conformance-tests.ts'
export { describeConformance, type Runner } from './describe.ts'
export { type ConformanceTest, type Harness, skipReason } from './harness.ts'
export { type ConformanceResult, type RunOptions, runConformance } from './run.ts'
