/** What a listener may serve: `client` is everything that is not for other homeservers. */
export type Resource = 'client' | 'federation'

const FEDERATION = /^\/_matrix\/(federation|key)\//
/** For both: it tells other servers where this one is, and is asked for at the name that clients know too. */
const SHARED = '/.well-known/matrix/server'

/** Whether an endpoint of that path is served by a listener of these resources. */
export function isServed(path: string, resources: readonly Resource[]): boolean {
  return path === SHARED || resources.includes(FEDERATION.test(path) ? 'federation' : 'client')
}
