import { toConformanceTest } from './case.ts'
import { atOnceCases } from './cases/at-once.ts'
import { cancelCases } from './cases/cancel.ts'
import { copyCases } from './cases/copy.ts'
import { deleteCases } from './cases/delete.ts'
import { errorCases } from './cases/errors.ts'
import { getCases } from './cases/get.ts'
import { keyCases } from './cases/keys.ts'
import { largeCases } from './cases/large.ts'
import { listCases } from './cases/list.ts'
import { preconditionCases } from './cases/precondition.ts'
import { putCases } from './cases/put.ts'
import { readIntoCases } from './cases/read-into.ts'
import type { ConformanceTest } from './harness.ts'

/** The contract as data: any runner can execute it. */
export const conformanceTests: readonly ConformanceTest[] = [
  ...keyCases,
  ...listCases,
  ...getCases,
  ...putCases,
  ...preconditionCases,
  ...deleteCases,
  ...cancelCases,
  ...errorCases,
  ...readIntoCases,
  ...largeCases,
  ...atOnceCases,
  ...copyCases,
].map(toConformanceTest)
