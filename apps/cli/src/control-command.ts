import { resolve } from 'node:path'
import { Flags } from '@oclif/core'
import { BaseCommand } from './base-command.ts'
import type { ControlClient } from './control/client.ts'
import { findProcess } from './control/find-process.ts'
import { parseDuration } from './duration.ts'

/** Flags of every command that talks to a running `replicate`. */
export const controlFlags = {
  socket: Flags.string({
    env: 'SQLSTREAM_SOCKET',
    description:
      'where the running process listens; default: "socket" of the configuration file, else the processes of this user are asked',
  }),
}

/** How long an answer is waited for. */
export const timeoutFlag = {
  timeout: Flags.string({ default: '30s', description: 'longest time to wait for it' }),
}

/** A command that talks to a running `replicate`. */
export abstract class ControlCommand extends BaseCommand {
  /** @param database that it must have, as typed */
  protected async process(socket: string | undefined, database?: string): Promise<ControlClient> {
    const { signal } = this
    return findProcess({
      socket: socket === undefined ? await this.#configuredSocket() : resolve(socket),
      database: database === undefined ? undefined : resolve(database),
      signal,
    })
  }

  async #configuredSocket(): Promise<string | undefined> {
    const { readConfigFile, usableConfig } = await import('./config/read-config.ts')
    const result = await readConfigFile(this.configFile)
    const socket = result && usableConfig(result).socket
    return socket === 'never' ? undefined : socket
  }
}

/** @throws CLIError `usage` */
export function timeoutOf(text: string): number {
  return Math.max(1, Math.round(parseDuration(text)))
}
