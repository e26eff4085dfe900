import { hash } from 'node:crypto'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { Appservice, NamespaceKind } from './registration.ts'

/** All registered appservices: fixed for the life of the process. */
export interface AppserviceRegistry {
  readonly serverName: ServerName
  readonly list: readonly Appservice[]
  readonly byId: ReadonlyMap<string, Appservice>
  /** By the SHA-256 of the token, so that the time of a look-up tells nothing about it. */
  readonly byTokenHash: ReadonlyMap<string, Appservice>
}

const hashOf = (token: string): string => hash('sha256', token, 'base64url')

export function createRegistry(serverName: ServerName, list: readonly Appservice[]): AppserviceRegistry {
  return {
    serverName,
    list,
    byId: new Map(list.map((appservice) => [appservice.id, appservice])),
    byTokenHash: new Map(list.map((appservice) => [hashOf(appservice.asToken), appservice])),
  }
}

/** The appservice that an access token belongs to, or undefined. */
export function findAppserviceByToken(registry: AppserviceRegistry, token: string): Appservice | undefined {
  return registry.list.length === 0 ? undefined : registry.byTokenHash.get(hashOf(token))
}

/** Whether an id is in one of an appservice's namespaces; `exclusiveOnly` leaves out those it shares. */
export function isInNamespace(
  appservice: Appservice,
  kind: NamespaceKind,
  id: string,
  exclusiveOnly = false,
): boolean {
  for (const { exclusive, matches } of appservice.namespaces[kind]) {
    if ((exclusive || !exclusiveOnly) && matches(id)) return true
  }
  return false
}

/** Whether a user is one of ours: a namespace of users never reaches beyond this server. */
export function isOwnUser({ serverName }: Pick<AppserviceRegistry, 'serverName'>, userId: string): boolean {
  return userId.endsWith(`:${serverName}`) && userId.indexOf(':') === userId.length - serverName.length - 1
}

/** Whether an appservice may act as a user and wants what concerns them: its sender, and its namespaces' users of this server. */
export function isUserOf(registry: AppserviceRegistry, appservice: Appservice, userId: string): boolean {
  if (userId === appservice.sender) return true
  return isOwnUser(registry, userId) && isInNamespace(appservice, 'users', userId)
}

function hasClaim(
  { list }: AppserviceRegistry,
  kind: NamespaceKind,
  id: string,
  exceptAppserviceId: string | undefined,
): boolean {
  return list.some((one) => one.id !== exceptAppserviceId && isInNamespace(one, kind, id, true))
}

/** Whether only another appservice than the one named may make this user; an appservice's sender is always its own. */
export function isExclusiveUser(
  registry: AppserviceRegistry,
  userId: string,
  exceptAppserviceId?: string,
): boolean {
  const isSender = registry.list.some((one) => one.id !== exceptAppserviceId && one.sender === userId)
  return isSender || hasClaim(registry, 'users', userId, exceptAppserviceId)
}

/** Whether only another appservice than the one named may make this alias. */
export function isExclusiveAlias(
  registry: AppserviceRegistry,
  alias: string,
  exceptAppserviceId?: string,
): boolean {
  return hasClaim(registry, 'aliases', alias, exceptAppserviceId)
}

/** Whether a room is in another appservice's exclusive namespace. */
export function isExclusiveRoom(
  registry: AppserviceRegistry,
  roomId: string,
  exceptAppserviceId?: string,
): boolean {
  return hasClaim(registry, 'rooms', roomId, exceptAppserviceId)
}
