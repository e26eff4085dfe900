import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { hasMoreCandidates, searchUsers, type FoundUser } from '@causeway/store/tables/search-users.ts'
import { readTerm } from './words.ts'

export interface DirectoryAnswer {
  readonly results: readonly FoundUser[]
  /** There may be more. */
  readonly limited: boolean
}

export interface DirectoryQuestion {
  readonly userId: UserId
  readonly term: string
  readonly limit: number
  /** Users that are left out. */
  readonly except: readonly string[]
}

/** https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3user_directorysearch */
export async function searchDirectory(
  db: Database,
  { userId, term, limit, except }: DirectoryQuestion,
): Promise<DirectoryAnswer> {
  const { alternatives, exact } = readTerm(term)
  if (alternatives.length === 0) return { results: [], limited: false }
  const found = await searchUsers(db, { userId, alternatives, exact, except, limit: limit + 1 })
  const limited = found.length > limit || (await hasMoreCandidates(db, alternatives))
  return { results: found.slice(0, limit), limited }
}
