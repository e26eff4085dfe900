import type { JsonValue } from '@causeway/matrix/events/pdu.ts'

/**
 * What is asked about other networks, of application services: what a protocol is like; rooms or users by what their
 * network calls them; and the same the other way round.
 * https://spec.matrix.org/v1.19/application-service-api/#third-party-networks
 */
export type ThirdPartyQuestion =
  | { readonly about: 'protocol'; readonly protocol: string }
  | {
      readonly about: 'user' | 'location'
      readonly protocol: string
      readonly fields: Readonly<Record<string, string>>
    }
  | { readonly about: 'user'; readonly userId: string }
  | { readonly about: 'location'; readonly alias: string }

/** Answers one question; undefined: nothing is known of it. */
export type AnswerThirdParty = (question: ThirdPartyQuestion) => Promise<JsonValue | undefined>
