// What we ask application services. https://spec.matrix.org/v1.19/application-service-api/

/** Before the path of every operation; services of before 2019 know them without it. */
export const APPSERVICE_PREFIX = '/_matrix/app/v1'

/** One operation: its method and its path below the prefix. */
export interface AppserviceOperation {
  readonly method: 'GET' | 'PUT' | 'POST'
  readonly path: string
}

export const SEND_TRANSACTION: AppserviceOperation = { method: 'PUT', path: '/transactions/{txnId}' }
export const QUERY_USER: AppserviceOperation = { method: 'GET', path: '/users/{userId}' }
export const QUERY_ALIAS: AppserviceOperation = { method: 'GET', path: '/rooms/{roomAlias}' }
export const PING: AppserviceOperation = { method: 'POST', path: '/ping' }

export const GET_PROTOCOL: AppserviceOperation = { method: 'GET', path: '/thirdparty/protocol/{protocol}' }
export const FIND_USERS: AppserviceOperation = { method: 'GET', path: '/thirdparty/user/{protocol}' }
export const FIND_LOCATIONS: AppserviceOperation = { method: 'GET', path: '/thirdparty/location/{protocol}' }
export const FIND_BY_USER: AppserviceOperation = { method: 'GET', path: '/thirdparty/user' }
export const FIND_BY_ALIAS: AppserviceOperation = { method: 'GET', path: '/thirdparty/location' }

/** Every operation that we ask for. */
export const APPSERVICE_OPERATIONS: readonly AppserviceOperation[] = [
  SEND_TRANSACTION,
  QUERY_USER,
  QUERY_ALIAS,
  PING,
  GET_PROTOCOL,
  FIND_USERS,
  FIND_LOCATIONS,
  FIND_BY_USER,
  FIND_BY_ALIAS,
]

/** The path with its one parameter filled in. */
export function pathWith({ path }: AppserviceOperation, parameter: string): string {
  return path.replace(/\{\w+\}/, () => encodeURIComponent(parameter))
}
