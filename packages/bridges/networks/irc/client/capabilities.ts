/** Capabilities this layer makes use of. https://ircv3.net/registry#capabilities */
const WANTED = new Set([
  ...[
    'account-tag',
    'batch',
    'chghost',
    'draft/chathistory',
    'echo-message',
    'extended-join',
    'invite-notify',
    'labeled-response',
  ],
  ...['message-tags', 'multi-prefix', 'server-time', 'setname', 'standard-replies', 'userhost-in-names'],
])

const MAX_OFFERED = 256
const LINE_BYTES = 400

/** What follows from a CAP line. */
export interface CapResult {
  /** Parameters of CAP REQ lines to send. */
  readonly requests: readonly string[]
  /** All lists are in and every request is answered. */
  readonly isSettled: boolean
  /** The agreed set changed. */
  readonly isChanged: boolean
}

/** The negotiation of one connection. https://ircv3.net/specs/extensions/capability-negotiation */
export class Capabilities {
  /** Offered, with their values (`sasl` → `PLAIN,EXTERNAL`). */
  readonly offered = new Map<string, string>()
  /** Agreed on this connection. */
  readonly agreed = new Set<string>()
  readonly #wantsSasl: boolean
  readonly #asked = new Set<string>()
  #isListed = false

  constructor(wantsSasl: boolean) {
    this.#wantsSasl = wantsSasl
  }

  /** Takes the parameters of a CAP line (own nick, subcommand, …). */
  handle(params: readonly string[]): CapResult {
    const subcommand = (params[1] ?? '').toUpperCase()
    const words = (params.at(-1) ?? '').split(' ').filter((word) => word !== '')
    const before = [...this.agreed].join(' ')
    const requests = this.#apply(subcommand, words, params[2] === '*' && params.length > 3)
    return {
      requests,
      isSettled: this.#isListed && this.#asked.size === 0,
      isChanged: before !== [...this.agreed].join(' '),
    }
  }

  /** True where the offered `sasl` names this mechanism, or names none. */
  offersSasl(mechanism: string): boolean {
    const value = this.offered.get('sasl')
    return value !== undefined && (value === '' || value.toUpperCase().split(',').includes(mechanism))
  }

  #apply(subcommand: string, words: readonly string[], isContinued: boolean): string[] {
    if (subcommand === 'LS' || subcommand === 'NEW') {
      this.#offer(words)
      if (subcommand === 'LS' && isContinued) return []
      if (subcommand === 'LS') this.#isListed = true
      return this.#request([...this.offered.keys()].filter((name) => this.#wants(name)))
    }
    if (subcommand === 'ACK') this.#acknowledge(words)
    else if (subcommand === 'NAK') return this.#refuse(words)
    else if (subcommand === 'DEL') this.#withdraw(words)
    return []
  }

  #wants(name: string): boolean {
    if (this.agreed.has(name) || this.#asked.has(name)) return false
    return WANTED.has(name) || (name === 'sasl' && this.#wantsSasl)
  }

  #offer(words: readonly string[]): void {
    for (const word of words) {
      const equals = word.indexOf('=')
      const name = equals === -1 ? word : word.slice(0, equals)
      if (this.offered.size >= MAX_OFFERED) return
      this.offered.set(name, equals === -1 ? '' : word.slice(equals + 1))
    }
  }

  #request(names: readonly string[]): string[] {
    const lines: string[] = []
    for (const name of names) {
      this.#asked.add(name)
      const last = lines.at(-1)
      if (last === undefined || last.length + name.length >= LINE_BYTES) lines.push(name)
      else lines[lines.length - 1] = `${last} ${name}`
    }
    return lines
  }

  #acknowledge(words: readonly string[]): void {
    for (const word of words) {
      const name = word.replace(/^[-~=]+/, '')
      this.#asked.delete(name)
      if (word.startsWith('-')) this.agreed.delete(name)
      // Only what we want: an ACK nobody asked for must not switch anything on.
      else if (WANTED.has(name) || name === 'sasl') this.agreed.add(name)
    }
  }

  /** A list is refused as a whole: its members are asked for one by one; a single one is given up. */
  #refuse(words: readonly string[]): string[] {
    const names = words.filter((word) => this.#asked.delete(word))
    if (names.length < 2) return []
    for (const name of names) this.#asked.add(name)
    return names
  }

  #withdraw(words: readonly string[]): void {
    for (const name of words) {
      this.offered.delete(name)
      this.agreed.delete(name)
      this.#asked.delete(name)
    }
  }
}
