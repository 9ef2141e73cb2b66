/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory in which a store waits in its processor's buffer, for any time and in
 * any order with stores to other words, while later loads go ahead: what x86
 * allows, and a little more. Only a fence waits for the buffer. One that is
 * missing is therefore felt.
 *
 * A processor has one store to a word under way at a time, and sees it itself. */

#define WORDS 4

int memory[WORDS];

typedef buffer {
  bool busy[WORDS];
  int value[WORDS];
  bool is_or[WORDS]             /* an atomic OR that nobody waits for */
}

buffer cpu[2];

inline store (me, word, v)
{
  atomic {
    !cpu[me].busy[word];
    cpu[me].value[word] = v;
    cpu[me].is_or[word] = false;
    cpu[me].busy[word] = true
  }
}

inline store_or (me, word, bits)
{
  atomic {
    !cpu[me].busy[word];
    cpu[me].value[word] = bits;
    cpu[me].is_or[word] = true;
    cpu[me].busy[word] = true
  }
}

/* Of a word that `me` only ever sets by store(). */
inline load (me, word, to)
{
  atomic {
    if
    :: cpu[me].busy[word] -> to = cpu[me].value[word]
    :: else -> to = memory[word]
    fi
  }
}

/* Read-modify-write: works on memory at once. It waits for this processor's own
 * store to the word, and, being relaxed, for no other. */
inline exchange (me, word, v, to)
{
  atomic {
    !cpu[me].busy[word];
    to = memory[word];
    memory[word] = v
  }
}

inline add (me, word, n)
{
  atomic {
    !cpu[me].busy[word];
    memory[word] = memory[word] + n
  }
}

inline fence (me)
{
  atomic {
    (!cpu[me].busy[0] && !cpu[me].busy[1] && !cpu[me].busy[2]
      && !cpu[me].busy[3])
  }
}

inline drain (who, word)
{
  atomic {
    cpu[who].busy[word] ->
    if
    :: cpu[who].is_or[word] ->
       memory[word] = memory[word] | cpu[who].value[word]
    :: else -> memory[word] = cpu[who].value[word]
    fi;
    cpu[who].busy[word] = false;
    cpu[who].value[word] = 0
  }
}

/* Empties the buffers, whenever it likes. */
active proctype hardware ()
{
  end:
  do
  :: drain (0, 0)
  :: drain (0, 1)
  :: drain (0, 2)
  :: drain (0, 3)
  :: drain (1, 0)
  :: drain (1, 1)
  :: drain (1, 2)
  :: drain (1, 3)
  od
}
