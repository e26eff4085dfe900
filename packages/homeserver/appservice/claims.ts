import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import {
  isExclusiveAlias,
  isExclusiveUser,
  isInNamespace,
  isUserOf,
  type AppserviceRegistry,
} from './registry.ts'

// https://spec.matrix.org/v1.19/application-service-api/#server-admin-style-permissions

/**
 * Throws M_EXCLUSIVE unless this user id may be registered (or logged in to with the appservice's login type):
 * by an appservice only within its namespaces, by everybody else only outside of exclusive ones.
 */
export function checkUserClaim(
  registry: AppserviceRegistry,
  userId: string,
  appserviceId: string | undefined,
): void {
  const appservice = appserviceId === undefined ? undefined : registry.byId.get(appserviceId)
  if (appservice !== undefined && !isUserOf(registry, appservice, userId)) {
    throw new MatrixError('M_EXCLUSIVE', `${userId} is not in the namespaces of this application service`)
  }
  if (isExclusiveUser(registry, userId, appserviceId)) {
    throw new MatrixError(
      'M_EXCLUSIVE',
      `${userId} is reserved by an application service; choose another name`,
    )
  }
}

/** The same for making or removing a room alias. */
export function checkAliasClaim(
  registry: AppserviceRegistry,
  alias: string,
  appserviceId: string | undefined,
): void {
  const appservice = appserviceId === undefined ? undefined : registry.byId.get(appserviceId)
  if (appservice !== undefined && !isInNamespace(appservice, 'aliases', alias)) {
    throw new MatrixError('M_EXCLUSIVE', `${alias} is not in the namespaces of this application service`)
  }
  if (isExclusiveAlias(registry, alias, appserviceId)) {
    throw new MatrixError('M_EXCLUSIVE', `${alias} is reserved by an application service; choose another`)
  }
}
