import { redactText } from '@sqlstream/storage'
import type { RunEventJSON } from '../run-event-schema.ts'

/** Where a command that goes on for long tells what happens: lines for people, or one JSON object for each event. */
export class EventLines {
  readonly json: boolean
  readonly #stream: NodeJS.WritableStream
  readonly #prefix: string

  /** @param prefix of each line for people */
  constructor(json: boolean, stream: NodeJS.WritableStream, prefix = '') {
    this.json = json
    this.#stream = stream
    this.#prefix = prefix
  }

  /** For people. */
  readonly say = (line: string): void => this.#write(`${this.#prefix}${line}`)

  /** For `--json`. */
  readonly tell = (event: RunEventJSON): void => this.#write(JSON.stringify(event))

  /** The one or the other. */
  event(json: RunEventJSON, line: string): void {
    if (this.json) this.tell(json)
    else this.say(line)
  }

  /** One write per line: a reader of a pipe never sees half of one. */
  #write(line: string): void {
    this.#stream.write(`${redactText(line)}\n`)
  }
}
