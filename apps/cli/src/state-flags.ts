import { Flags, type Interfaces } from '@oclif/core'

/** The flags by which a command is told which state it is about. */
export function stateFlags(verb: string): {
  readonly txid: Interfaces.OptionFlag<string | undefined>
  readonly at: Interfaces.OptionFlag<string | undefined>
} {
  return {
    txid: Flags.string({
      exclusive: ['at'],
      description: `${verb} the state after this transaction (hexadecimal)`,
    }),
    at: Flags.string({
      exclusive: ['txid'],
      aliases: ['timestamp'],
      description: `${verb} the last state at or before this instant (RFC 3339)`,
    }),
  }
}
