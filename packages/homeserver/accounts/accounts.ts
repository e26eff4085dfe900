import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { createSingleFlight, type SingleFlight } from '@causeway/store/cache/single-flight.ts'
import type { Homeserver } from '../homeserver.ts'
import { createUserJobs, type UserJobs } from '../profile/user-jobs.ts'
import type { AccountHooks } from './hooks.ts'
import { createNonces, type Nonces } from './nonces.ts'
import { createPasswords, passwordCostOf, type Passwords } from './passwords.ts'
import { createUiaSessions, type UiaSessions } from './uia/sessions.ts'

/** What is in memory of accounts, beside the sessions. One a process. */
export interface Accounts extends AsyncDisposable {
  readonly hooks: AccountHooks
  readonly passwords: Passwords
  readonly uia: UiaSessions
  /** For `/_synapse/admin/v1/register`. */
  readonly nonces: Nonces
  /** Refreshes under way, by the hash of their token. */
  readonly refreshes: SingleFlight<string, JsonObject>
  /** What is still to be done in the rooms of users. */
  readonly jobs: UserJobs
}

type Deps = Pick<Homeserver, 'db' | 'clock' | 'random' | 'config' | 'rooms' | 'logger' | 'userDirectory'>

/** Made once; takes up the work in rooms that a stop interrupted. */
export function createAccounts(deps: Deps, hooks: AccountHooks = {}): Accounts {
  const { clock, random } = deps
  const jobs = createUserJobs(deps)
  jobs.resume()
  return {
    hooks,
    passwords: createPasswords(passwordCostOf(deps.config), random),
    uia: createUiaSessions(clock, random),
    nonces: createNonces(clock, random),
    refreshes: createSingleFlight(),
    jobs,
    [Symbol.asyncDispose]: () => jobs[Symbol.asyncDispose](),
  }
}
