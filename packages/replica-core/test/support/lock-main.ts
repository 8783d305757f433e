// Takes the local lock of the database that is named, and keeps it until the parent lets go.
import { stateFolder, takeLocalLock } from '../../src/state/state-folder.ts'

let answer = 'locked'
try {
  takeLocalLock(stateFolder(process.argv[2] as string))
} catch (error) {
  answer = (error as { code?: string }).code === 'locked' ? 'refused' : String(error)
}
process.send?.(answer)
process.on('disconnect', () => process.exit(0))
if (answer !== 'locked') process.disconnect()
