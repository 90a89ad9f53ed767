package main

// rows returns the acceptance list, in its order.
func rows() []row {
	return []row{
		{1, "forms of the copy source", sourceFormCases()},
		{2, "versions of the source", versionCases()},
		{3, "where source and target lie", placeCases()},
		{4, "ranges", rangeCases()},
		{5, "kinds of source and target", kindCases()},
		{6, "ETags", etagCases()},
		{7, "checksums", checksumCases()},
		{8, "preconditions", preconditionCases()},
		{9, "part numbers and uploads", addressCases()},
		{10, "customer keys", customerKeyCases()},
		{11, "cold sources", coldCases()},
		{12, "rights", rightCases()},
		{13, "the latest part wins", overwriteCases()},
		{14, "races", raceCases()},
		{15, "slow copies", slowCases()},
		{17, "signatures", signatureCases()},
		{18, "the page's sample", sampleCases()},
	}
}
