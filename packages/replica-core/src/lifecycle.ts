import { type PrimaryEvent, type PrimaryListener, tell } from './events.ts'
import { nextState, type PrimaryState, type PrimaryTrigger } from './state-machine.ts'

/** The state of a primary, and the listener that learns of its changes and of everything else. */
export class Lifecycle {
  readonly #listener: PrimaryListener | undefined
  #state: PrimaryState = 'closed'

  constructor(listener: PrimaryListener | undefined) {
    this.#listener = listener
  }

  get state(): PrimaryState {
    return this.#state
  }

  /** @throws TypeError when the trigger means nothing in this state */
  transition(trigger: PrimaryTrigger): void {
    const from = this.#state
    this.#state = nextState(from, trigger)
    if (from !== this.#state) this.emit({ type: 'state', from, to: this.#state })
  }

  /** Hands an event to the listener. */
  readonly emit = (event: PrimaryEvent): void => tell(this.#listener, event)
}
