// Brings docs/reliability.md up to date with the titles of the tests.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fillScenarios } from '../test/support/scenarios.ts'
import { testTitles } from '../test/support/test-titles.ts'
import { ROOT, readText } from '../test/support/workspace.ts'

writeFileSync(join(ROOT, 'docs/reliability.md'), fillScenarios(readText('docs/reliability.md'), testTitles()))
