package member
