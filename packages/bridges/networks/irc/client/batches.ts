const MAX_OPEN = 64

/** An open batch. */
export interface Batch {
  readonly type: string
  /** The label of the line it answers, its own or that of the batch around it. */
  readonly label: string | undefined
}

/** The open batches of one connection; more than 64 at once are not followed. https://ircv3.net/specs/extensions/batch */
export class Batches {
  readonly #open = new Map<string, Batch>()

  /** Takes a BATCH line: `+ref type …` or `-ref`. */
  handle(params: readonly string[], label: string | undefined, outer: string | undefined): void {
    const [reference = '', type = ''] = params
    if (reference.startsWith('-')) this.#open.delete(reference.slice(1))
    else if (reference.startsWith('+') && this.#open.size < MAX_OPEN) {
      this.#open.set(reference.slice(1), { type, label: label ?? this.find(outer)?.label })
    }
  }

  find(reference: string | undefined): Batch | undefined {
    return reference === undefined ? undefined : this.#open.get(reference)
  }
}
