/** The text that the demo's prose is spun from: written for this repository, free to use. */
export const SOURCE_TEXT = `
The tug came out of the fog a little after four, with her lights still burning and her deck wet from
the night. The mate stood at the bow with a heaving line coiled in his hand, and the boy stood behind
him and counted the turns. Nobody spoke, because the engine spoke for all of them, and the fog took
whatever was left.

The ship that waited for them lay deep in the water with grain, and her master had been awake for two
days. He had lost an anchor on the bar and a boat on the rocks, and he did not mean to lose anything
else before breakfast. When the tug came under his stern he raised one arm, and the mate threw the
line, and it fell across the rail as lightly as a bird comes down on a wire.

A hawser is a plain thing. It is rope, laid thick enough to hold a ship and soft enough to be handled
by men with cold fingers. It has an eye at each end and nothing in between but strain. The men who made
it walked backwards the length of a shed, all day, with hemp about their waists, and when they turned
around at last they had made something that could pull a town through a storm.

What one ship does the other must do after her. When the tug turns, the tow turns, a little later and a
little wider. When the tug slows, the rope goes down into the water and the tow comes on by her own
weight, and a careless master may find her in his cabin. So the mate watches the rope and not the ship,
for the rope tells him how far behind she is, and how hard she pulls, and whether she is still there.

The boy asked what happens when the rope parts. The mate said that then you stop, and you go back, and
you find her, and you ask her master what he has seen since. If it was not long ago you throw the line
again and go on from where you were. If it was long ago, or if she has drifted among the islands, you
take her whole reckoning from the start and make no guesses. The sea has plenty of room for guesses, he
said, and most of it is full of them.

They passed the bar at the top of the tide. The water was brown there and stood up in short steep waves
that broke against each other without any plan. The rope rose out of the sea from end to end, straight
as a ruled line, and the water ran off it in a bright curtain, and it hummed. The boy put his hand on it
before anyone could tell him not to, and felt the whole ship at the other end, her grain and her iron and
her forty men, as a fisherman feels the fish.

In the harbour there were ships of every kind. There were colliers as black as the inside of a boot, and
schooners with names of girls, and a white steamer that carried nothing but letters. On the quay a clerk
wrote down each of them in a book, the hour and the draught and the cargo, and when the book was full he
began another, and the old ones went up into a loft where the gulls walked on the roof above them. Nothing
was ever rubbed out in these books. If the clerk had made an error he wrote the right thing underneath,
with the date, and left the wrong thing standing for anyone who wished to learn from it.

There was a second clerk across the water who kept the same book. Each evening a boat took him the new
pages, and he copied them in his own hand and sent back the number of the last line. On some evenings the
boat did not come, because of ice, or wind, or because the boatman had been to a wedding. Then he waited,
and he did not invent what might have happened in the harbour, though he could see a good deal of it from
his window. When the boat came at last it brought him all the pages since the last line he had sent, and he
wrote until they were done, and the two books agreed again.

Once he was ill for a month, and the pages filled a chest, and the harbour master said that it would be
quicker to send him the whole book and have done. So a man came with the book under his arm, wrapped in
oilcloth, and sat with it while it was copied, and every morning brought besides the pages of the day
before. It is the only time that anyone remembers when both clerks wrote through the night. In the morning
they compared the sums at the foot of every page, and there was no difference in them, not of a single
barrel, and they went and had breakfast together, although each had to row half way.

The old men say that a rope remembers. They mean that a rope which has been wet and dried and wet again
will lie the way it has always lain, and coil itself from left to right when you let it fall, and that
you can no more teach it another way than you can teach a river. But it is not memory that matters in a
rope. What matters is that whatever is done at one end is done at the other, in the same order, and that
nothing is done at the other end which was not done at the first.

By noon the fog had gone and the hills stood up behind the town, each house with its square of garden and
its line of washing. The master came down from his ship and shook hands with the mate and with the boy, and
gave them a sack of flour from the cargo, which was dry to the last pound. Then he walked up the street to
find a bed. The boy washed the salt out of the rope with fresh water, as he had been shown, and laid it down
on the deck in the sun in long easy turns, ready for the next one.
`;
