/** What a homeserver has to know about the bridges. https://spec.matrix.org/v1.19/application-service-api/#registration */
export interface BridgeRegistration {
  readonly id: string
  /** Where transactions go; null: nowhere over HTTP. */
  readonly url: string | null
  readonly as_token: string
  readonly hs_token: string
  readonly sender_localpart: string
  readonly rate_limited: false
  /** Networks that people may look up and whose rooms may be listed. */
  readonly protocols: readonly string[]
  readonly namespaces: {
    readonly users: readonly { readonly exclusive: boolean; readonly regex: string }[]
    readonly aliases: readonly []
    readonly rooms: readonly []
  }
}

/** `id` of the hub's registration. */
export const REGISTRATION_ID = 'causeway-bridges'

function escapeRegex(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/** The registration of the hub: one bot, and ghosts whose localparts begin with `ghostPrefix`. */
export function buildRegistration(options: {
  readonly url: string | null
  readonly asToken: string
  readonly hsToken: string
  readonly serverName: string
  readonly botLocalpart: string
  readonly ghostPrefix: string
  readonly protocols: readonly string[]
}): BridgeRegistration {
  const { url, asToken, hsToken, serverName, botLocalpart, ghostPrefix, protocols } = options
  const regex = `@${escapeRegex(ghostPrefix)}.*:${escapeRegex(serverName)}`
  return {
    id: REGISTRATION_ID,
    url,
    as_token: asToken,
    hs_token: hsToken,
    sender_localpart: botLocalpart,
    rate_limited: false,
    protocols,
    namespaces: { users: [{ exclusive: true, regex }], aliases: [], rooms: [] },
  }
}
