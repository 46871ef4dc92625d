/**
 * How many targets have a backup when it is said to be made. async: the first; the others are brought up after it. Else `minCopies` of
 * them (null: all): one that fails is given up when so many are left.
 */
export type Durability =
  { readonly async: true } | { readonly async: false; readonly minCopies: number | null };
