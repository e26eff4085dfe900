import type { Pdu, Signer } from '@causeway/matrix/events/pdu.ts'
import type { PolicyServer } from './policy-server.ts'

/** What a policy server says of an event. The reasons are sentences. */
export type PolicyAnswer =
  | { readonly outcome: 'signed'; readonly signature: string }
  | { readonly outcome: 'refused'; readonly reason: string }
  | { readonly outcome: 'unreachable'; readonly reason: string }

/** How often policy servers were asked since the start, by what they said. */
export type PolicyFigures = Readonly<Record<PolicyAnswer['outcome'], number>>

/** How the rooms reach policy servers. Awaits the network: never inside a room's queue. */
export interface PolicyPort {
  /** Signs as this server: a policy server is shown events that are complete. */
  readonly signer: Signer
  readonly figures: PolicyFigures
  /** Asks for a signature over the event; an answer comes within seconds, whatever the server does. Never rejects. */
  ask(server: PolicyServer, pdu: Pdu, signal?: AbortSignal): Promise<PolicyAnswer>
}
