import { spawnSync } from 'node:child_process'
import type { FollowArguments } from './follow-main.ts'

/** Runs a follower until it has caught up. @returns false if it was killed on the way */
export function runFollower(options: FollowArguments): boolean {
  const script = new URL('./follow-main.ts', import.meta.url).pathname
  const args = ['--conditions=@sqlstream/source', script, JSON.stringify(options)]
  const { status, signal, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (signal === 'SIGKILL') return false
  if (status !== 0) throw new Error(stderr)
  return true
}
