/**
 * Who is counted. People, addresses and servers are kept apart, so that strangers cannot push people's buckets out of
 * the map. `recipient`: whoever gets mail or text messages of this server without having asked for it.
 */
export type PrincipalKind = 'user' | 'address' | 'server' | 'appservice' | 'recipient'

/**
 * What is limited, by its name in `rate_limits` of the configuration, and who is counted there. A user's requests count
 * for the application service that acts as them, and for the user too where its registration asks for it. Where nobody
 * has to say who they are, an application service that does is counted as one: all its ghosts come from one address.
 */
export const LIMITED_ACTIONS = {
  message: ['user', 'appservice'],
  delayed: ['user', 'appservice', 'address'],
  join: ['user', 'appservice'],
  invite: ['user', 'appservice'],
  create_room: ['user', 'appservice'],
  login: ['user', 'appservice', 'address'],
  registration: ['address', 'appservice'],
  profile: ['user', 'appservice'],
  media: ['user', 'appservice', 'address'],
  preview: ['user', 'appservice'],
  email: ['user', 'appservice', 'address'],
  sms: ['user', 'appservice', 'address'],
  keys: ['user', 'appservice'],
  read: ['user', 'appservice', 'address'],
  report: ['user', 'appservice'],
  admin: ['user', 'appservice'],
  federation: ['server', 'address'],
  server_keys: ['address'],
  sticky: ['server'],
} as const satisfies Readonly<Record<string, readonly PrincipalKind[]>>

/** Names a bucket of the rate limiter; its rate and burst stand in the configuration. */
export type LimitedAction = keyof typeof LIMITED_ACTIONS

/** Everything that a principal does, whatever else is limited of it: the quota of an application service. */
export const ALL = 'all'

/** The actions in the order in which they are shown. */
export const ACTION_NAMES = Object.keys(LIMITED_ACTIONS) as readonly LimitedAction[]

/** Whether anything of such a principal is counted under this action. */
export function isCountedFor(action: LimitedAction, kind: PrincipalKind): boolean {
  return (LIMITED_ACTIONS[action] as readonly PrincipalKind[]).includes(kind)
}
